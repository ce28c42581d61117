# Columns dropped in place one after another; ages by a table of groups; a function over rows with axis=1; kept test ids.

# %%
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt

# %%
df = pd.read_csv("titanic.csv")
df.columns

# %%
df.groupby('Pclass')['Age'].median()

# %%
df.drop("Cabin", axis=1, inplace=True)
df.drop(["PassengerId", "Name"], axis=1, inplace=True)
df.dropna(subset=["Embarked"], inplace=True)

# %%
medians = df.groupby(['Sex', 'Pclass'])['Age'].median()

def fill_age(row):
    if pd.isnull(row['Age']):
        return medians[row['Sex'], row['Pclass']]
    return row['Age']

df['Age'] = df.apply(fill_age, axis=1)
df.isnull().sum()

# %%
def category_of_age(age):
    if age <= 12:
        return 'child'
    elif age <= 60:
        return 'adult'
    else:
        return 'old'

df['AgeGroup'] = df['Age'].apply(category_of_age)

# %%
df['FareBin'] = pd.qcut(df['Fare'], 4, labels=[1, 2, 3, 4]).astype(int)
df['relatives'] = df['SibSp'] + df['Parch']
df.loc[df['relatives'] > 0, 'not_alone'] = 0
df.loc[df['relatives'] == 0, 'not_alone'] = 1
df['not_alone'] = df['not_alone'].astype(int)

# %%
sex = pd.get_dummies(df["Sex"], drop_first=True)
embark = pd.get_dummies(df["Embarked"], drop_first=True)
group = pd.get_dummies(df["AgeGroup"], prefix='age')
df = pd.concat([df, sex, embark, group], axis=1)
df.drop(["Sex", "Embarked", "AgeGroup", "Fare"], axis=1, inplace=True)
df.head()

# %%
X = df.drop("Survived", axis=1)
y = df["Survived"]

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.3, random_state=1)

# %%
from sklearn.linear_model import LogisticRegression
logmodel = LogisticRegression(max_iter=1000)
logmodel.fit(X_train, y_train)

# %%
predictions = logmodel.predict(X_test)
from sklearn.metrics import classification_report, confusion_matrix, accuracy_score
print(classification_report(y_test, predictions))
confusion_matrix(y_test, predictions)

# %%
accuracy_score(y_test, predictions)

# %%
output = pd.DataFrame({'Survived': predictions}, index=X_test.index)
output.to_csv('submission.csv')
