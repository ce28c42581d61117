# Scaled outside the model; the target is text; TotalCharges is text with blanks.

# %% [markdown]
# # Telco customer churn
# Which customers leave?

# %%
import pandas as pd
import numpy as np
import matplotlib.pyplot as plt
# %matplotlib inline
import warnings
warnings.filterwarnings('ignore')

# %%
df = pd.read_csv('Telco-Churn.csv')
df.head()

# %%
df.shape

# %%
df.info()

# %%
df.isnull().sum()

# %%
df['Churn'].value_counts()

# %%
df['Churn'].value_counts().plot(kind='bar', title='churn')
plt.show()

# %%
df.drop('customerID', axis=1, inplace=True)

# %%
# TotalCharges is an object?
df['TotalCharges'] = pd.to_numeric(df['TotalCharges'], errors='coerce')
df['TotalCharges'].isnull().sum()

# %%
df['TotalCharges'] = df['TotalCharges'].fillna(df['TotalCharges'].median())

# %%
plt.hist([df[df.Churn == 'No'].tenure, df[df.Churn == 'Yes'].tenure], label=['stays', 'leaves'])
plt.legend()

# %%
def print_unique_col_values(df):
    for column in df:
        if df[column].dtypes == 'object':
            print(f'{column}: {df[column].unique()}')

print_unique_col_values(df)

# %%
df['gender'] = df['gender'].replace({'Female': 1, 'Male': 0}).astype(int)
df['Partner'] = df['Partner'].map({'Yes': 1, 'No': 0})

# %%
df2 = pd.get_dummies(data=df, columns=['Contract', 'PaymentMethod'])
df2.columns

# %%
X = df2.drop('Churn', axis='columns')
y = df2['Churn'].map({'Yes': 1, 'No': 0})

# %%
from sklearn.preprocessing import MinMaxScaler
cols_to_scale = ['tenure', 'MonthlyCharges', 'TotalCharges']
scaler = MinMaxScaler()
X[cols_to_scale] = scaler.fit_transform(X[cols_to_scale])
X.sample(4)

# %%
from sklearn.model_selection import train_test_split
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=5)
X_train.shape, X_test.shape

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix
model = LogisticRegression(max_iter=1000)
model.fit(X_train, y_train)
y_pred = model.predict(X_test)
print(accuracy_score(y_test, y_pred))

# %%
print(classification_report(y_test, y_pred))

# %%
cm = confusion_matrix(y_test, y_pred)
plt.imshow(cm)
plt.colorbar()

# %%
# how sure is it?
proba = model.predict_proba(X_test)[:, 1]
plt.hist(proba, bins=20)
